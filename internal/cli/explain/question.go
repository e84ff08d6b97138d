package explain

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/authz"
)

// Question is whether one party may call another.
type Question struct {
	From, To Reference
	// Method and Path are empty when the question is about any request.
	Method, Path string
	Headers      []authz.Header
}

// ParseQuestion reads "A -> B [METHOD] [PATH]". The arrow may be one word or several, "to", or left out. headers are
// "name: value".
func ParseQuestion(args, headers []string, namespace string) (Question, error) {
	if len(args) > 0 && args[len(args)-1] == "-" {
		return Question{}, errors.New("the shell has taken > for a redirection and written to a file: put the question into quotes, or write \"to\" for the arrow")
	}
	words := strings.Fields(strings.NewReplacer("->", " ", "→", " ").Replace(strings.Join(args, " ")))
	if i := slices.Index(words, "to"); i == 1 {
		words = slices.Delete(words, 1, 2)
	}
	if len(words) < 2 {
		return Question{}, errors.New("two parties are needed: write osm explain A to B, such as osm explain shop/till to shop/web GET /books")
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
			return q, fmt.Errorf("-H %q is not a header: write name: value", header)
		}
		q.Headers = append(q.Headers, authz.Header{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
	}
	return q, nil
}

// request reads "[METHOD] [PATH]". A path may be a URL, of which the path and the query count.
func (q *Question) request(words []string) error {
	for _, word := range words {
		switch {
		case strings.Contains(word, "://"):
			address, err := url.Parse(word)
			if err != nil {
				return fmt.Errorf("%s is not a URL: %w", word, err)
			}
			q.Path = address.RequestURI()
		case strings.HasPrefix(word, "/"):
			q.Path = word
		case q.Method == "" && q.Path == "":
			q.Method = strings.ToUpper(word)
		default:
			return fmt.Errorf("%q is one word too many: a question is A to B METHOD PATH", word)
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

// asksRequest says whether the question is about one request.
func (q Question) asksRequest() bool { return q.Path != "" }
