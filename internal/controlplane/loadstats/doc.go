// Package loadstats stores the load reports of sidecars: how many requests they sent, and how many of them failed.
//
// Load reports flow in from the xDS server, each with the identity of its stream. Counts and rates of the last minute, by
// client identity and upstream cluster, flow out to the report API. Sidecars report all loads only while there is a reader: a report has 60 KB,
// whatever it says, because Envoy names its extensions in each. They count meanwhile, so the first report after a pause has the average since the
// last one. Sidecars always report about authorization and rate limit servers, and those that load destinations on demand once in each connection:
// what they use flows to the Store of snapshots. Servers that do not answer flow out to the status of policies.
package loadstats
