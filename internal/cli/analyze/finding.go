package analyze

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/names"
)

// Severity is how bad a finding is.
type Severity string

// The severities, the mildest first.
const (
	// Info: it may well be meant.
	Info Severity = "Info"
	// Warning: it works, though perhaps not as it is meant.
	Warning Severity = "Warning"
	// Error: something does not work, or is not acted on.
	Error Severity = "Error"
)

// Severities are all, the mildest first.
var Severities = []Severity{Info, Warning, Error}

// AtLeast says whether a severity is as bad as another, or worse.
func (s Severity) AtLeast(other Severity) bool {
	return slices.Index(Severities, s) >= slices.Index(Severities, other)
}

// Finding is something suspicious.
type Finding struct {
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	// Kind, Namespace and Name are those of the object; objects of a cluster's own have no namespace.
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	// Message says what is wrong and what to do about it.
	Message string `json:"message"`
}

// Object is "<kind> <namespace>/<name>".
func (f Finding) Object() string {
	if f.Namespace == "" {
		return f.Kind + " " + f.Name
	}
	return f.Kind + " " + f.Namespace + "/" + f.Name
}

// String is the line that people read.
func (f Finding) String() string {
	return fmt.Sprintf("%s [%s] (%s) %s", f.Severity, f.Code, f.Object(), f.Message)
}

// compare orders the worst first, then by object, code and text.
func (f Finding) compare(other Finding) int {
	return cmp.Or(
		slices.Index(Severities, other.Severity)-slices.Index(Severities, f.Severity),
		strings.Compare(f.Kind, other.Kind), strings.Compare(f.Namespace, other.Namespace), strings.Compare(f.Name, other.Name),
		strings.Compare(f.Code, other.Code), strings.Compare(f.Message, other.Message),
	)
}

// Report is the answer of an analysis.
type Report struct {
	Findings []Finding `json:"findings"`
	// Suppressed is how many findings the annotations of their objects hide.
	Suppressed int `json:"suppressed"`
	// Unread are things that could not be looked at, each a sentence.
	Unread []string `json:"notRead,omitempty"`
	// Objects is how many objects were looked at.
	Objects int `json:"objects"`
}

// Worst is the worst severity among the findings; empty without any.
func (r *Report) Worst() Severity {
	if len(r.Findings) == 0 {
		return ""
	}
	return r.Findings[0].Severity
}

// Keep drops the findings that are milder than a severity, and with a namespace those about objects of others.
func (r *Report) Keep(least Severity, namespace string) {
	r.Findings = slices.DeleteFunc(r.Findings, func(f Finding) bool {
		elsewhere := namespace != "" && f.Namespace != namespace && (f.Kind != "Namespace" || f.Name != namespace)
		return elsewhere || !f.Severity.AtLeast(least)
	})
}

// ignores says whether an object's annotation hides findings of a code.
func ignores(object *unstructured.Unstructured, code string) bool {
	if object == nil {
		return false
	}
	for _, ignored := range strings.Split(object.GetAnnotations()[names.AnalyzeIgnoreAnnotation], ",") {
		if ignored = strings.TrimSpace(ignored); ignored == "*" || strings.EqualFold(ignored, code) {
			return true
		}
	}
	return false
}
