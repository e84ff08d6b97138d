// Package kubectl runs kubectl against one cluster.
//
// Input: arguments and manifests. Output: the standard output of kubectl, or an error with its standard error.
package kubectl
