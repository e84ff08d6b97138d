// Package traffic watches each kind that not all clusters define, such as the policies, once the cluster defines it.
//
// Its input is the API discovery of the cluster, a watch of its definitions, and Sources. Its output is watches of a Feed. A kind that is not defined blocks
// nothing: the mesh works without it.
package traffic
