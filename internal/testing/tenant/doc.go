// Package tenant draws the objects of one namespace, each as large as the schemas and etcd permit.
//
// A seed flows in, and the entries of a mesh flow out.
package tenant
