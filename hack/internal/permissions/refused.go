package permissions

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Expected are requests that may be refused.
type Expected struct {
	// Account is the name of the service account, in any namespace.
	Account string `json:"account"`
	Verb    string `json:"verb"`
	// Group is empty for the core group.
	Group    string `json:"group,omitempty"`
	Resource string `json:"resource"`
	// Reason is why they may be refused.
	Reason string `json:"reason"`
}

// ReadExpected reads the list of requests that may be refused.
func ReadExpected(file string) ([]Expected, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var list struct {
		Refused []Expected `json:"refused"`
	}
	if err := yaml.UnmarshalStrict(content, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for _, e := range list.Refused {
		if e.Account == "" || e.Verb == "" || e.Resource == "" || e.Reason == "" {
			return nil, fmt.Errorf("%s: the entry %+v has no account, verb, resource or reason", file, e)
		}
	}
	return list.Refused, nil
}

// Refused returns the refused requests of accounts whose name starts with a prefix, except expected ones, without duplicates and sorted.
func Refused(requests []Request, prefix string, expected []Expected) []string {
	var refused []string
	for _, r := range requests {
		_, name, _ := strings.Cut(r.Account, "/")
		known := slices.ContainsFunc(expected, func(e Expected) bool {
			return e.Account == name && e.Verb == r.Verb && e.Group == r.Group && e.Resource == r.Resource
		})
		if r.Refused && strings.HasPrefix(name, prefix) && !known {
			refused = append(refused, r.String())
		}
	}
	slices.Sort(refused)
	return slices.Compact(refused)
}
