// Package status writes the status of policies, as conditions and Events.
//
// Its input is policy objects from the cache and the rejections of sidecars. Its output is conditions and Events, written by
// one replica at a time and only when they change. Traffic never depends on status.
package status
