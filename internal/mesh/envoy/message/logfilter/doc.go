// Package logfilter makes the filters of Envoy's access loggers.
package logfilter
