package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// A replica may be compromised, and its clients serve all meshes. A document such as [{},{},…] needs a hundred times its length in memory, so its objects and
// elements are counted before it is decoded.
const (
	// maxDocument is the maximum length of a document. A sidecar needs about 1 kB, so it is enough for 16,000 of them in one replica.
	maxDocument = 16 << 20
	// minValue is how long an object or an element of a list is on average, at least. The shortest names give 45, and usual ones more than 100.
	minValue = 32
	// freeValues are not counted, so that short documents may have short values.
	freeValues = 1000
)

var errTooDense = errors.New("the document has too many values for its length")

// decode reads a document of a replica.
func decode(body io.Reader, document any) error {
	text, err := io.ReadAll(io.LimitReader(body, maxDocument+1))
	if err != nil {
		return err
	}
	if len(text) > maxDocument {
		return fmt.Errorf("the document has more than %d bytes", maxDocument)
	}
	if countValues(text) > freeValues+len(text)/minValue {
		return errTooDense
	}
	return json.Unmarshal(text, document)
}

// countValues returns the number of objects, lists and elements of lists in JSON. It may be wrong if the text is no JSON.
func countValues(text []byte) int {
	count, inString := 0, false
	var lists []bool // for each open bracket, whether it is a list
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			count++
			lists = append(lists, c == '[')
		case (c == '}' || c == ']') && len(lists) > 0:
			lists = lists[:len(lists)-1]
		case c == ',' && len(lists) > 0 && lists[len(lists)-1]:
			count++
		}
	}
	return count
}
