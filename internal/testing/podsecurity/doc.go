// Package podsecurity checks pods as the admission controller of Kubernetes does.
//
// A pod flows in; the reasons for which the Pod Security Standard "restricted" forbids it flow out.
package podsecurity
