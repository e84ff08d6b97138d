package ingest

import "fmt"

// malformed adds a problem for a value of the wrong type.
func (p *problems) malformed(path string, value any, expected string) {
	p.reject(ReasonMalformed, "%s is %s: expected %s, so this object is not acted on.", path, describe(value), expected)
}

// describe describes a value for an error message.
func describe(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case string:
		return fmt.Sprintf("the text %.40q", v)
	case bool:
		return fmt.Sprintf("the truth value %t", v)
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return fmt.Sprintf("the number %v", value)
}
