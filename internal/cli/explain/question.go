package explain

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/authz"
)

// Question asks whether one party may call another.
type Question struct {
	From, To Reference
	// Method and Path are empty for any request.
	Method, Path string
	Headers      []authz.Header
}

// ParseQuestion parses "A -> B [METHOD] [PATH]". The arrow may be "->" or "to", or left out. headers have the form "name: value".
func ParseQuestion(args, headers []string, namespace string) (Question, error) {
	if len(args) > 0 && args[len(args)-1] == "-" {
		return Question{}, errors.New("the shell interpreted > as a redirection: quote the question, or use \"to\" instead of the arrow")
	}
	words := strings.Fields(strings.NewReplacer("->", " ", "→", " ").Replace(strings.Join(args, " ")))
	if i := slices.Index(words, "to"); i == 1 {
		words = slices.Delete(words, 1, 2)
	}
	if len(words) < 2 {
		return Question{}, errors.New("source and destination are required: usage: osm explain A to B, such as osm explain shop/till to shop/web GET /books")
	}
	var q Question
	var err error
	if q.From, err = ParseReference(words[0], namespace); err != nil {
		return q, err
	}
	if q.To, err = ParseReference(words[1], namespace); err != nil {
		return q, err
	}
	if err := q.request(words[2:]); err != nil {
		return q, err
	}
	for _, header := range headers {
		name, value, found := strings.Cut(header, ":")
		if !found || strings.TrimSpace(name) == "" {
			return q, fmt.Errorf("invalid header %q: must be \"name: value\"", header)
		}
		q.Headers = append(q.Headers, authz.Header{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
	}
	return q, nil
}

// request parses "[METHOD] [PATH]". Of a URL, it uses path and query.
func (q *Question) request(words []string) error {
	for _, word := range words {
		switch {
		case strings.Contains(word, "://"):
			address, err := url.Parse(word)
			if err != nil {
				return fmt.Errorf("invalid URL %s: %w", word, err)
			}
			q.Path = address.RequestURI()
		case strings.HasPrefix(word, "/"):
			q.Path = word
		case q.Method == "" && q.Path == "":
			q.Method = strings.ToUpper(word)
		default:
			return fmt.Errorf("unexpected argument %q: usage: A to B METHOD PATH", word)
		}
	}
	switch {
	case q.Method != "" && q.Path == "":
		q.Path = "/"
	case q.Method == "" && q.Path != "":
		q.Method = "GET"
	}
	return nil
}

// asksRequest returns true if the question is about one request.
func (q Question) asksRequest() bool { return q.Path != "" }
