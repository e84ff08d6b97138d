// Package permissions compares the requests of service accounts with their roles.
//
// The audit log of an API server and manifests with roles flow in; denied requests and unused permissions flow out.
package permissions
