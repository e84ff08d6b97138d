// Package metricsserver serves the metrics of the operator over HTTPS.
//
// Metrics and the client of an API server flow in. Out flow the metrics, to clients whose token may get /metrics. Other clients can use a
// bounded number of connections and TokenReviews only.
package metricsserver
