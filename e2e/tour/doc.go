// Package tour shows what Prometheus and Jaeger have recorded about the bookstore.
//
// Input: a cluster with the bookstore in the sample mesh. Output: answers to queries, and a trace. The demo prints them, and tests check
// them.
package tour
