// Package server serves the report of a replica over HTTPS to authorized users.
//
// The state of the snapshot Store and requests with bearer tokens flow in. JSON documents flow out. The API server authorizes readers: a
// TokenReview, and a SubjectAccessReview for the verb get on the non-resource URL /report/v1.
package server
