// Package loadstats stores the load reports of sidecars: how many requests they sent, and how many of them failed.
//
// Load reports flow in from the xDS server, each with the identity of its stream. Counts and rates of the last minute, by
// client identity and upstream cluster, flow out to the report API. Sidecars report often while there is a reader, and once a minute otherwise, so
// that the first read is complete. Authorization and rate limit servers that do not answer flow out to the status of policies.
package loadstats
