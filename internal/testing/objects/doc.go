// Package objects converts entries of the catalog to the objects that the control plane reads as these entries.
//
// Entries flow in; objects of Kubernetes and SMI flow out. They are independent of the packages that read objects.
package objects
