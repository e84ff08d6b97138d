// Package decodelimit limits the memory of decoded messages.
//
// The description of a message and its encoding flow in. An error flows out if the decoded message would use much more memory than its encoding.
package decodelimit
