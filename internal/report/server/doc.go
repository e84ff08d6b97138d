// Package server serves a replica's report over HTTPS to whoever may read it.
//
// The state of the snapshot Store and requests with bearer tokens flow in; JSON documents flow out. Who may read is asked of
// the API server, by a TokenReview and a SubjectAccessReview for the non-resource URL /report/v1 and the verb get.
package server
