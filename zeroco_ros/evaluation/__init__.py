"""How good a flow is: metrics, data sets with ground truth, published protocols, tables."""
