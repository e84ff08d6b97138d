// Package retry repeats actions of the local cluster that need time.
//
// A function flows in; its success, or its last error after a time limit, flows out.
package retry
