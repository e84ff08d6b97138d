// Package timeshare bounds the part of a goroutine's time that each namespace may use.
//
// In: how long the work for a namespace took. Out: how long its next work has to wait. It never interrupts work.
package timeshare
