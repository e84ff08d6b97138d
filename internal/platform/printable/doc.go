// Package printable removes from text what changes a terminal, a log line or the direction of text.
//
// Its input is text that others wrote, such as error texts of sidecars. Its output is the same text for people.
package printable
