// Package logging creates the loggers of all components: JSON lines on standard error, at a level that can change at runtime.
//
// Its input is OSM's names of log levels. Its output is a logr.Logger whose level can be set.
package logging
