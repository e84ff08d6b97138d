package expect

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/cli/explain"
)

// Kind is the kind of documents that hold expectations. They stand among the manifests and are never applied to a cluster.
const (
	Kind       = "PolicyTest"
	APIVersion = "cli.openservicemesh.io/v1alpha1"
)

// Case is one expectation.
type Case struct {
	// From and To are written as in `osm explain`.
	From string `json:"from"`
	To   string `json:"to"`
	// Request is "METHOD PATH"; empty for any request, and for TCP.
	Request string `json:"request,omitempty"`
	// Headers of the request.
	Headers map[string]string `json:"headers,omitempty"`
	// Want is allowed, denied or partly; or how exactly a denial looks: forbidden, not found, bad request, unavailable, reset,
	// refused, passed through.
	Want string `json:"want"`
	// By is a TrafficTarget, "<namespace>/<name>", that must be among those that allow it.
	By string `json:"by,omitempty"`
}

// Name says what a case is about.
func (c Case) Name() string {
	return strings.TrimSpace(fmt.Sprintf("%s to %s %s", c.From, c.To, c.Request)) + " is " + c.Want
}

var wants = []string{"allowed", "denied", "partly", "forbidden", "not found", "bad request", "unavailable", "reset", "refused", "passed through"}

// Take divides documents into the cases of expectations and everything else.
func Take(objects []*unstructured.Unstructured) (cases []Case, rest []*unstructured.Unstructured, err error) {
	for _, object := range objects {
		if object.GetKind() != Kind {
			rest = append(rest, object)
			continue
		}
		if object.GetAPIVersion() != APIVersion {
			return nil, nil, fmt.Errorf("a %s has apiVersion %q: write %s", Kind, object.GetAPIVersion(), APIVersion)
		}
		text, err := yaml.Marshal(object.Object)
		if err != nil {
			return nil, nil, err
		}
		var document struct {
			APIVersion string         `json:"apiVersion"`
			Kind       string         `json:"kind"`
			Metadata   map[string]any `json:"metadata,omitempty"`
			Cases      []Case         `json:"cases"`
		}
		if err := yaml.UnmarshalStrict(text, &document); err != nil {
			return nil, nil, fmt.Errorf("a %s cannot be read: %w", Kind, err)
		}
		cases = append(cases, document.Cases...)
	}
	for i, c := range cases {
		if c.From == "" || c.To == "" || !slices.Contains(wants, c.Want) {
			return nil, nil, fmt.Errorf("case %d of the expectations (%s) needs from, to and want; want is one of: %s", i+1, c.Name(), strings.Join(wants, ", "))
		}
	}
	return cases, rest, nil
}

// Result is how a case ended.
type Result struct {
	Case Case `json:"case"`
	// Failure says what was otherwise; empty when the expectation is met.
	Failure string `json:"failure,omitempty"`
	Answer  *explain.Answer
}

// Run asks a mesh every case.
func Run(ctx context.Context, m explain.Mesh, cases []Case) []Result {
	results := make([]Result, 0, len(cases))
	for _, c := range cases {
		results = append(results, run(ctx, m, c))
	}
	return results
}

func run(ctx context.Context, m explain.Mesh, c Case) Result {
	var headers []string
	for name, value := range c.Headers {
		headers = append(headers, name+": "+value)
	}
	slices.Sort(headers)
	question, err := explain.ParseQuestion([]string{c.From, "to", c.To, c.Request}, headers, "default")
	if err != nil {
		return Result{Case: c, Failure: err.Error()}
	}
	answer, err := explain.Ask(ctx, m, question)
	if err != nil {
		return Result{Case: c, Failure: err.Error()}
	}
	return Result{Case: c, Failure: c.failure(answer), Answer: answer}
}

// failure says how an answer differs from what is expected.
func (c Case) failure(answer *explain.Answer) string {
	met := false
	switch c.Want {
	case "allowed":
		met = answer.Allowed
	case "denied":
		met = !answer.Allowed && !answer.Partly
	case "partly":
		met = answer.Partly
	default:
		met = len(answer.Ways) > 0 && !slices.ContainsFunc(answer.Ways, func(w explain.Way) bool { return w.Outcome != c.Want })
	}
	if !met {
		return "it is " + actual(answer)
	}
	if c.By != "" && !slices.Contains(answer.Policies, c.By) {
		return fmt.Sprintf("it is allowed by %s, and not by %s", strings.Join(answer.Policies, ", "), c.By)
	}
	return ""
}

// actual says what an answer is, in the words of Want.
func actual(answer *explain.Answer) string {
	text := "denied"
	switch {
	case answer.Allowed:
		text = "allowed"
		if len(answer.Policies) > 0 {
			text += " by TrafficTarget " + strings.Join(answer.Policies, ", ")
		}
		return text
	case answer.Partly:
		text = "partly allowed"
	}
	var reasons []string
	for _, w := range answer.Ways {
		if reason := w.Outcome + orNothing(": missing is ", w.Missing); w.Outcome != "allowed" && !slices.Contains(reasons, reason) {
			reasons = append(reasons, reason)
		}
	}
	for _, p := range answer.Missing {
		reasons = append(reasons, p.What)
	}
	return text + orNothing(", ", strings.Join(reasons, "; "))
}

func orNothing(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}
