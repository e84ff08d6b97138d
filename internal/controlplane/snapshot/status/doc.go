// Package status records how far the connected proxies are with their configuration.
//
// Responses that were sent, answers of proxies, and batches of catalog changes flow in. The status of each proxy and policy, and
// a trace of each batch from the watch event to the last acknowledgement, flow out to reports and metrics.
//
// The package decides nothing: no push depends on what is recorded here.
package status
