// Package servertest tests package token with the keys and tokens of a real API server. It contains only tests.
package servertest
