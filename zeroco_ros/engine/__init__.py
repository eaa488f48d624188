"""Running a model on a device, behind one Protocol."""
