package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// WithoutRemedy describes why a denied call has no remedy, and what to look at.
func (a *Answer) WithoutRemedy() string {
	idle := a.idleServices()
	switch {
	case len(a.Missing) > 0:
		return "no policy would suffice to allow this call: " + diagnosis.Messages(a.Missing) + ". Run the command without --remedy to see what to do"
	case len(idle) > 0:
		namespace, name, _ := strings.Cut(idle[0], "/")
		return fmt.Sprintf("the call fails whatever policies say, because no pod of Service %s is ready with a sidecar: "+
			"see kubectl -n %s get pods, and kubectl -n %s get endpointslices -l kubernetes.io/service-name=%s. Run the command again when a pod is ready",
			strings.Join(idle, ", "), namespace, namespace, name)
	}
	return "no policy would allow this call: run the command without --remedy to see the reason"
}

// idleServices are the Services that get the request and have no pod that can answer, without duplicates. Without a ready pod nobody knows which policies are
// missing.
func (a *Answer) idleServices() []string {
	idle := lists.Map(a.Candidates, Candidate.idleService)
	return lists.Unique(slices.DeleteFunc(idle, func(name string) bool { return name == "" }))
}

// idleService is the Service without a pod that can answer, if that is the one cause; empty otherwise. The candidate may be denied for a further reason only
// if it has a pod.
func (c Candidate) idleService() string {
	service := nameOf(cmp.Or(c.At, c.Service))
	if c.isAllowed() || c.Missing != authz.MissingPod(service) && c.Missing != authz.MissingDestination(service) {
		return ""
	}
	return service.String()
}

// isIdle reports whether everything that is denied is so because no pod can answer. Policies do not change that.
func (a *Answer) isIdle() bool {
	denied := lists.Filter(a.Candidates, func(c Candidate) bool { return !c.isAllowed() })
	return len(denied) > 0 && !slices.ContainsFunc(denied, func(c Candidate) bool { return c.idleService() == "" })
}
