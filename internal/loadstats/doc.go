// Package loadstats keeps what sidecars report about the requests that they send: how many, and how many of them failed.
//
// Load reports of sidecars flow in from the xDS server, each under the identity of the stream that it came by; counts and rates
// of the last minute, by client identity and upstream cluster, flow out to the report API. Sidecars are asked to report only
// while somebody reads.
package loadstats
