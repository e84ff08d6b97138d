package analyze

import (
	"cmp"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/mesh/assess"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
)

// codesOfConflicts are the codes of policies that others decide instead of.
var codesOfConflicts = map[catalog.Kind]string{
	catalog.KindTrafficSplit: codeSplitConflict, catalog.KindRetry: codeRetryConflict,
	catalog.KindUpstreamTrafficSetting: codeSettingConflict, catalog.KindBackpressure: codeSettingConflict,
	catalog.KindIngressBackend: codeIngressConflict, catalog.KindEgress: codeEgressConflict, catalog.KindTelemetry: codeLogConflict,
	catalog.KindExternalAuthorization: codeAuthConflict,
}

// codesOfSwitches are the codes of policies that a switch of the MeshConfig disables.
var codesOfSwitches = map[catalog.Kind]string{
	catalog.KindRetry: codeRetriesOff, catalog.KindIngressBackend: codeIngressOff, catalog.KindEgress: codeEgressOff,
}

// codesOfCauses are the codes of all other findings of package assess. Without one, the reason decides.
var codesOfCauses = map[assess.Cause]string{
	assess.Replaced: codeSplitReplaced, assess.NotFollowed: codeNestedSplit, assess.OutsideGateway: codeOutsideGateway,
	assess.NoUsableBackend: codeNoUsableBackend,
	assess.TooManyServices: codeTooManyServices, assess.NoRouteOfLimit: codeNoRouteOfLimit,
	assess.NoDestination: codeNoDestination, assess.NoSource: codeNoSource, assess.NoRoute: codeNoRoute, assess.NoMatch: codeNoMatch,
	assess.UnknownPort: codeUnknownPort,
	assess.NoRoot:      codeNoRoot, assess.NoBackend: codeNoBackend, assess.NoBackendPort: codeBackendPort,
	assess.NoRetryTarget: codeNoRetryTarget, assess.NoHost: codeNoHost,
	assess.NoIngressPort: codeNoIngressPort, assess.NoGateway: codeNoGateway, assess.NoSetting: codeNoSetting, assess.NoExtension: codeNoExtension,
	assess.NoEgressGateway: codeNoEgressGateway, assess.IdleEgressGateway: codeNoEgressGateway,
}

// assessed reports what the mesh finds out about its policies. Their status says the same.
func (a *analysis) assessed() {
	mesh := assess.Mesh{View: a.view, Namespace: a.mesh.Namespace}
	for _, policy := range assessedEntries(a.mesh.Loaded) {
		if !mesh.Uses(policy) {
			continue
		}
		for _, finding := range mesh.Policy(policy) {
			if a.isKnown(policy, finding) {
				a.reportFinding(policy.Ref(), finding)
			}
		}
	}
}

// assessedEntries returns the policies that refer to other objects, sorted.
func assessedEntries(l *load.Loaded) []catalog.Entry {
	var list []catalog.Entry
	for _, entry := range l.Entries {
		if assess.HasReferences(entry) {
			list = append(list, entry)
		}
	}
	slices.SortFunc(list, func(x, y catalog.Entry) int { return x.Ref().Compare(y.Ref()) })
	return list
}

func (a *analysis) reportFinding(policy catalog.Ref, f assess.Finding) {
	s := a.subject(policy.Kind, policy.Name)
	code := codesOfCauses[f.Cause]
	switch f.Cause {
	case assess.Conflict:
		code = codesOfConflicts[policy.Kind]
	case assess.Disabled:
		code = codesOfSwitches[policy.Kind]
	}
	if code == "" {
		a.reportProblem(s, f.Problem)
		return
	}
	severity := a.codes[code].Severity
	if f.Warning && severity == diagnosis.Error {
		severity = diagnosis.Warning
	}
	if f.Cause == assess.UnknownPort {
		severity = diagnosis.Error // the rule grants nothing
	}
	a.report(code, severity, s, f.StatusMessage())
}

// isKnown reports whether a finding about a policy is certain. Files may lack what the mesh has.
func (a *analysis) isKnown(policy catalog.Entry, f assess.Finding) bool {
	if !a.mesh.Partial {
		return true
	}
	switch f.Cause {
	case assess.NoEgressGateway, assess.IdleEgressGateway, assess.NoUsableBackend, assess.TooManyServices, assess.ProtectedHost:
		return false
	case assess.Disabled:
		return a.configured()
	case assess.NoExtension:
		return a.configured() && (f.Missing == catalog.Ref{} || a.missing(f.Missing.Kind, f.Missing.Name))
	case assess.NoRouteOfLimit:
		return a.has(catalog.KindHTTPRouteGroup, policy.Ref().Name.Namespace)
	}
	return f.Missing == (catalog.Ref{}) || a.missing(f.Missing.Kind, f.Missing.Name)
}

// configured returns true if the mesh has a MeshConfig.
func (a *analysis) configured() bool {
	_, found := a.mesh.Loaded.Entries[catalog.Ref{Kind: catalog.KindSettings}]
	return found
}

// Conflict is a policy without effect, or with less effect, because another policy decides.
type Conflict struct {
	// Policy is the overridden policy, Winner the one that decides.
	Policy, Winner catalog.Ref
	// About describes what it decides, and the remedy.
	About string
}

// Conflicts returns the conflicts among the policies of a mesh whose control plane runs in namespace, sorted by the overridden policy.
func Conflicts(l *load.Loaded, namespace string) []Conflict {
	mesh := assess.Mesh{View: l.Catalog.View(), Namespace: namespace}
	var list []Conflict
	for _, policy := range assessedEntries(l) {
		for _, finding := range mesh.Policy(policy) {
			if finding.Reason == kinds.ReasonConflicted {
				list = append(list, Conflict{Policy: policy.Ref(), Winner: finding.Winner, About: finding.StatusMessage()})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b Conflict) int {
		return cmp.Or(a.Policy.Compare(b.Policy), a.Winner.Compare(b.Winner), strings.Compare(a.About, b.About))
	})
	return list
}
