// Package upgrade decides when the pods of a component are replaced, and when their last good objects return.
//
// An observation of the component flows in; what to apply, and the attempt to record, flow out. All functions are pure.
package upgrade
