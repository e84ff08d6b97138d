// Package server serves the API of TrafficMetrics to the API server, and makes the API server trust it.
//
// Requests flow in over HTTPS. The API server authenticates and authorizes their users: those that it forwards itself, and those with a
// token or a certificate of their own. The certificate is issued by a root in memory, which is written into the APIService.
package server
