// Package reasons explains the words by which conditions, Events and messages of a mesh name what is wrong.
//
// Nothing flows in; one sentence for each reason flows out.
package reasons
