// Package logging makes the loggers of all programs: JSON lines on standard error, at a level that can change while they run.
//
// OSM's names of levels flow in; a logr.Logger and its level flow out.
package logging
