package expect

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Kind and APIVersion identify documents with expectations. They are part of the manifests but never applied to a cluster.
const (
	Kind       = "PolicyTest"
	APIVersion = "cli.openservicemesh.io/v1alpha1"
)

// Case is one expectation.
type Case struct {
	// From and To use the syntax of `osm explain`. An account of a peer is "<peer>/<namespace>/sa/<name>".
	From string `json:"from"`
	To   string `json:"to"`
	// Request is "METHOD PATH". It is empty for any request, and for TCP.
	Request string `json:"request,omitempty"`
	// Headers are the request headers.
	Headers map[string]string `json:"headers,omitempty"`
	// Want is allowed, denied or partly, or the kind of denial: forbidden, not found, bad request, redirected, misrouted, unavailable,
	// reset, refused, passed through.
	Want string `json:"want"`
	// By is a TrafficTarget, "<namespace>/<name>", that must be one of those that allow the request.
	By string `json:"by,omitempty"`
}

// Name describes the case.
func (c Case) Name() string {
	return strings.TrimSpace(fmt.Sprintf("%s to %s %s", c.From, c.To, c.Request)) + " is " + c.Want
}

var validWants = []string{
	"allowed", "denied", "partly", "forbidden", "not found", "bad request", "redirected", "misrouted", "unavailable",
	"reset", "refused", "passed through",
}

// Take separates the cases of PolicyTest documents from all other objects.
func Take(objects []*unstructured.Unstructured) (cases []Case, rest []*unstructured.Unstructured, err error) {
	for _, object := range objects {
		if object.GetKind() != Kind {
			rest = append(rest, object)
			continue
		}
		if object.GetAPIVersion() != APIVersion {
			return nil, nil, fmt.Errorf("%s has apiVersion %q: must be %s", Kind, object.GetAPIVersion(), APIVersion)
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
			problem := err.Error()
			if i := strings.LastIndex(problem, "json: "); i >= 0 {
				problem = problem[i+len("json: "):]
			}
			return nil, nil, fmt.Errorf("invalid %s: %s: each of its cases has from, to and want, and may have request, headers and by", Kind, problem)
		}
		cases = append(cases, document.Cases...)
	}
	for i, c := range cases {
		if c.From == "" || c.To == "" || !slices.Contains(validWants, c.Want) {
			return nil, nil, fmt.Errorf("invalid case %d (%s): from, to and want are required; want must be one of: %s", i+1, c.Name(), strings.Join(validWants, ", "))
		}
	}
	return cases, rest, nil
}

// Result is the result of a case.
type Result struct {
	Case Case `json:"case"`
	// Failure describes the difference. It is empty if the expectation is met.
	Failure string `json:"failure,omitempty"`
}

// Run evaluates all cases.
func Run(ctx context.Context, m explain.Mesh, cases []Case) []Result {
	return lists.Map(cases, func(c Case) Result { return Result{Case: c, Failure: run(ctx, m, c)} })
}

// run evaluates a case. It returns the difference, or "" if the expectation is met.
func run(ctx context.Context, m explain.Mesh, c Case) string {
	var headers []string
	for name, value := range c.Headers {
		headers = append(headers, name+": "+value)
	}
	slices.Sort(headers)
	question, err := explain.ParseQuestion([]string{c.From, "to", c.To, c.Request}, headers, "default")
	if err != nil {
		return err.Error()
	}
	answer, err := explain.Evaluate(ctx, m, question)
	if err != nil {
		return err.Error()
	}
	return c.failure(answer)
}

// failure describes how an answer differs from the expectation.
func (c Case) failure(answer *explain.Answer) string {
	met := false
	switch c.Want {
	case "allowed":
		met = answer.Allowed
	case "denied":
		met = !answer.Allowed && !answer.Partly && !answer.Unknown
	case "partly":
		met = answer.Partly
	default:
		met = len(answer.Candidates) > 0 && !slices.ContainsFunc(answer.Candidates, func(w explain.Candidate) bool { return w.Outcome != c.Want })
	}
	if !met {
		return "it is " + describeAnswer(answer)
	}
	if c.By != "" && !slices.Contains(answer.Policies, c.By) {
		return fmt.Sprintf("it is allowed by %s, not by %s", strings.Join(answer.Policies, ", "), c.By)
	}
	return ""
}

// describeAnswer describes an answer in terms of Want.
func describeAnswer(answer *explain.Answer) string {
	text := "denied"
	switch {
	case answer.Allowed:
		text = "allowed"
		if len(answer.Policies) > 0 {
			text += " by TrafficTarget " + strings.Join(answer.Policies, ", ")
		}
		return text
	case answer.Unknown:
		text = "unknown"
	case answer.Partly:
		text = "partly allowed"
	}
	var reasons []string
	for _, w := range answer.Candidates {
		reason := w.Outcome + withPrefix(": missing: ", w.Missing) + withPrefix(": import ", w.Import)
		if w.Outcome != "allowed" && !slices.Contains(reasons, reason) {
			reasons = append(reasons, reason)
		}
	}
	for _, p := range answer.Missing {
		reasons = append(reasons, p.Message)
	}
	return text + withPrefix(", ", strings.Join(reasons, "; "))
}

func withPrefix(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

// suite, test and failure are the commonly supported elements of the JUnit format.
type suite struct {
	XMLName  xml.Name `xml:"testsuite"`
	Name     string   `xml:"name,attr"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Cases    []test   `xml:"testcase"`
}

type test struct {
	Name    string   `xml:"name,attr"`
	Class   string   `xml:"classname,attr"`
	Failure *failure `xml:"failure,omitempty"`
}

type failure struct {
	Message string `xml:"message,attr"`
}

// Failed counts the failed results.
func Failed(results []Result) int {
	return len(lists.Filter(results, func(r Result) bool { return r.Failure != "" }))
}

// JUnit writes results as JUnit XML.
func JUnit(w io.Writer, results []Result) error {
	s := suite{Name: "policies", Tests: len(results), Failures: Failed(results)}
	for _, r := range results {
		one := test{Name: r.Case.Name(), Class: "policies"}
		if r.Failure != "" {
			one.Failure = &failure{Message: r.Failure}
		}
		s.Cases = append(s.Cases, one)
	}
	text, err := xml.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, text)
	return err
}
