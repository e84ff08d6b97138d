package explain

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Print writes an answer as text.
func (a *Answer) Print(w io.Writer) error {
	fmt.Fprintf(w, "%s -> %s", a.From, a.To)
	if a.Request != "" {
		fmt.Fprintf(w, ": %s", a.Request)
	}
	fmt.Fprintf(w, "\n%s\n", a.Headline())
	if a.Teardown != "" {
		fmt.Fprintf(w, "\n%s\n\n", a.Teardown)
	}
	if a.Note != "" {
		fmt.Fprintf(w, "\n%s\n", a.Note)
	}
	for _, candidate := range a.Candidates {
		candidate.print(w, a)
	}
	printMissing(w, a.Missing)
	if len(a.Live) > 0 {
		fmt.Fprintln(w)
	}
	for _, l := range a.Live {
		fmt.Fprintf(w, "  live: %s\n", l)
	}
	if len(a.Remedy) == 0 {
		return nil
	}
	hasRequests := slices.ContainsFunc(a.Remedy, func(object *unstructured.Unstructured) bool { return object.GetKind() == "HTTPRouteGroup" })
	switch {
	case len(a.Missing) > 0 || !a.RemedySuffices:
		fmt.Fprint(w, "\nThe missing policies (other requirements are missing as well):\n\n")
	case a.Request == "" && hasRequests:
		fmt.Fprint(w, "\nThis would allow every request (specify METHOD PATH to allow less):\n\n")
	default:
		fmt.Fprint(w, "\nThis would allow it:\n\n")
	}
	return a.PrintRemedy(w)
}

func printMissing(w io.Writer, missing []diagnosis.Finding) {
	for _, f := range missing {
		fmt.Fprintf(w, "\n  missing: %s\n", f.Message)
		if f.Remedy != "" {
			fmt.Fprintf(w, "       do: %s\n", f.Remedy)
		}
	}
}

// Headline returns the verdict and its reason.
func (a *Answer) Headline() string {
	switch {
	case a.Allowed:
		return "ALLOWED" + a.because()
	case a.Unknown:
		return "UNKNOWN: it depends on what peers offer"
	case a.Partly:
		return "PARTLY ALLOWED: the result depends on the destination"
	}
	return "DENIED"
}

// because formats what allows the request.
func (a *Answer) because() string {
	var reasons []string
	if len(a.Policies) > 0 && !a.FromOutside {
		reasons = append(reasons, " by "+a.PolicyKind()+" "+strings.Join(a.Policies, ", "))
	}
	for _, candidate := range a.Candidates {
		reason := ", because " + candidate.Permissive + " is in permissive mode"
		if candidate.Permissive != "" && !slices.Contains(reasons, reason) {
			reasons = append(reasons, reason)
		}
	}
	return strings.Join(reasons, "")
}

// PolicyKind is the kind of the policies that allow the request. With FromOutside, candidates without a gateway have IngressBackends instead.
func (a *Answer) PolicyKind() string {
	if a.Outside {
		return "Egress"
	}
	return "TrafficTarget"
}

func (candidate Candidate) print(w io.Writer, a *Answer) {
	what := "Service"
	if a.Outside {
		what = "Host"
	}
	fmt.Fprintf(w, "\n  %s %s port %d (%s)", what, candidate.Service, candidate.Port, candidate.Protocol)
	for _, part := range []struct{ format, text string }{
		{", by %s", candidate.Gateway},
		{", by TrafficSplit %s", candidate.Split},
		{", by %s", candidate.Route},
		{" (match %s)", candidate.Match},
		{" to %s", candidate.At},
		{" with %s of the requests", candidate.Share},
		{", ServiceAccount %s", candidate.Destination},
	} {
		if part.text != "" {
			fmt.Fprintf(w, part.format, part.text)
		}
	}
	fmt.Fprintf(w, "\n    %s: %s\n", candidate.Outcome, candidate.Response)
	if len(candidate.Policies) > 0 && candidate.isAllowed() {
		kind := a.PolicyKind()
		if a.FromOutside && candidate.Gateway == "" {
			kind = "IngressBackend"
		}
		fmt.Fprintf(w, "    by: %s %s\n", kind, strings.Join(candidate.Policies, ", "))
	}
	if candidate.Permissive != "" && candidate.isAllowed() {
		fmt.Fprintf(w, "    by: permissive mode of %s\n", candidate.Permissive)
	}
	for _, part := range []struct {
		title string
		texts []string
	}{
		{"import", []string{candidate.Import}},
		{"left out", candidate.LeftOut},
		{"limit", candidate.Limits},
		{"authorization", []string{candidate.Authorizer}},
		{"authorization", candidate.Authorizers},
		{"log", candidate.Logs},
		{"missing", []string{candidate.Missing}},
		{"hint", []string{candidate.Hint}},
	} {
		for _, text := range part.texts {
			if text != "" {
				fmt.Fprintf(w, "    %s: %s\n", part.title, text)
			}
		}
	}
	for _, grant := range candidate.Granted {
		fmt.Fprintf(w, "    may send: %s", grant.Request)
		if len(grant.Policies) > 0 {
			fmt.Fprintf(w, "  (TrafficTarget %s)", strings.Join(grant.Policies, ", "))
		}
		fmt.Fprintln(w)
	}
}

// PrintRemedy writes the remedy as YAML for kubectl.
func (a *Answer) PrintRemedy(w io.Writer) error {
	for i, object := range Order(a.Remedy) {
		if i > 0 {
			fmt.Fprintln(w, "---")
		}
		text, err := yaml.Marshal(object.Object)
		if err != nil {
			return err
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
	}
	return nil
}

// Live holds the acknowledgements of the sidecars for an answer. The answer is in force when all sidecars have acknowledged.
type Live struct {
	// Of is the subject: a policy, or the configuration of service accounts.
	Of string `json:"of"`
	// Sidecars counts the affected sidecars. Acknowledged and Rejected count parts of them; all others have not responded.
	Sidecars     int `json:"sidecars"`
	Acknowledged int `json:"acknowledged"`
	Rejected     int `json:"rejected,omitempty"`
	// Unknown explains why the numbers are missing or incomplete. It is empty if they are complete.
	Unknown string `json:"unknown,omitempty"`
}

// String formats the acknowledgements as a sentence.
func (l Live) String() string {
	if l.Sidecars == 0 && l.Unknown == "" {
		return l.Of + ": no connected sidecar"
	}
	text := fmt.Sprintf("%s: acknowledged by %d of %d sidecars", l.Of, l.Acknowledged, l.Sidecars)
	if l.Sidecars == 0 && l.Unknown != "" {
		text = l.Of + ": acknowledgement unknown"
	}
	if l.Rejected > 0 {
		text += fmt.Sprintf(", rejected by %d", l.Rejected)
	}
	if l.Unknown != "" {
		text += " (" + l.Unknown + ")"
	}
	return text
}

// parties returns the service accounts involved in a call: the caller's, and those of the destinations.
func parties(e evaluator, all []servicePort) []identity.ServiceAccount {
	found := []identity.ServiceAccount{e.caller}
	for _, p := range all {
		for _, d := range e.destinations(p) {
			found = append(found, d.Identity)
		}
	}
	slices.SortFunc(found[1:], func(a, b identity.ServiceAccount) int { return entity.Name(a).Compare(entity.Name(b)) })
	return slices.Compact(found)
}
