package status

import "strings"

const (
	// maxMessage is the length of the longest message of a condition, in bytes. It is readable, and far below the 32,768 characters that the
	// API server accepts: it refuses the whole status otherwise.
	maxMessage = 4096
	// maxNote is the length of the longest note of an Event that the API server accepts, in bytes.
	maxNote = 1024
)

// truncate limits a text to a length in bytes.
func truncate(text string, length int) string {
	const ending = "..."
	if len(text) <= length {
		return text
	}
	return strings.ToValidUTF8(text[:length-len(ending)], "") + ending
}
