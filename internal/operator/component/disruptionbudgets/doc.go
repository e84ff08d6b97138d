// Package disruptionbudgets is the component that renders the PodDisruptionBudgets of control planes with more than one replica.
//
// The running control planes flow in; one budget for each Deployment flows out.
package disruptionbudgets
