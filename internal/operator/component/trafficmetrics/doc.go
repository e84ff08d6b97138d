// Package trafficmetrics is the component that serves SMI's TrafficMetrics.
//
// A Mesh flows in; objects flow out. They are two components. One runs the server. The other registers it in the API server while it is
// ready: an APIService without a server would break discovery and the deletion of namespaces in the whole cluster.
package trafficmetrics
