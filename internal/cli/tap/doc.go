// Package tap reads requests from the access logs of sidecars.
//
// Streams of access logs in OSM's JSON format flow in. Requests and connections that match a filter flow out one by one, or as one row for each
// route with its rate, success and latency.
package tap
