package analyze

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/ingest"
	"github.com/openservicemesh/osm-operator/internal/validate"
)

// ownReasons are the reasons of problems with single objects, in the order of their codes, OSM0101 and on. New ones are added at
// the end, so that codes keep their meaning.
var ownReasons = []struct{ reason, title, meaning, remedy string }{
	{ingest.ReasonMalformed, "A field has the wrong type", "The object is not acted on.", "Correct the field that the message names."},
	{ingest.ReasonUnsupported, "Something that this version does not do", "The object asks for something that the mesh does not do; the message says what is done instead.", "Follow the message."},
	{ingest.ReasonForeignNamespace, "An object speaks for another namespace", "An object may speak about workloads of its own namespace only.", "Move it there."},
	{ingest.ReasonInvalidName, "A name that no object can have", "The part of the object with the name is not acted on.", "Correct the name."},
	{ingest.ReasonInvalidRegex, "A regular expression that cannot be used", "The expression is not RE2, too long or too large. The match is not used.", "Write it in the syntax of RE2, and shorter."},
	{ingest.ReasonInvalidHeader, "A header that cannot be matched", "The match is not used.", "Follow the message."},
	{ingest.ReasonInvalidMethod, "A method that HTTP does not allow", "The match is not used.", "Write a method such as GET, or * for any."},
	{ingest.ReasonDuplicateMatch, "Two matches of a group have one name", "The first one counts.", "Give each match its own name."},
	{ingest.ReasonInvalidPort, "A port out of range", "The port is left out.", "Write a number from 1 to 65535."},
	{ingest.ReasonInvalidWeight, "A weight that cannot be used", "A weight is missing, negative or too large, or all are 0.", "Follow the message."},
	{ingest.ReasonInvalidDuration, "A duration that cannot be read", "A default is used in its place.", "Write a number with a unit, such as 5s."},
	{ingest.ReasonInvalidTLS, "Versions of TLS that exclude each other", "Defaults are used in their place.", "Follow the message."},
	{ingest.ReasonGrantsNothing, "A policy that grants nothing", "The policy has no rules, no sources or no matches, so it lets nobody in.", "Complete it, or delete it."},
	{ingest.ReasonUnknownProtocol, "A port with an unknown protocol", "Sidecars do not speak the protocol that the port names; the message says what it is taken for.", "Name a protocol that the mesh knows by appProtocol, or call it tcp."},
	{ingest.ReasonNotCaptured, "Traffic that sidecars do not intercept", "The traffic, such as UDP, passes by the mesh.", "Nothing, if that is known."},
	{ingest.ReasonRefusedAddress, "An endpoint that no pod can have", "The address gets no traffic.", "Correct the EndpointSlice."},
	{ingest.ReasonInvalidNumber, "A number out of range", "The part of the object with the number is not acted on.", "Follow the message."},
	{ingest.ReasonInvalidCondition, "A condition of retries that cannot be used", "Sidecars do not know the condition, or it does nothing by itself.", "Follow the message."},
	{ingest.ReasonInvalidAnnotation, "An annotation whose value means nothing", "The annotation has no effect.", "Write a value that the message names."},
	{ingest.ReasonNotUsed, "Something that nothing looks at", "The object, or a part of it, has no effect in this version.", "Follow the message."},
}

// ownCodes are those of problems with single objects.
func ownCodes() []Code {
	all := []Code{{codeOther, Error, "Another problem of an object", "The message says what is wrong and what comes of it.", "Follow the message."}}
	for i, r := range ownReasons {
		all = append(all, Code{ID: ownCode(i), Severity: Error, Title: r.title, Meaning: r.meaning, Remedy: r.remedy})
	}
	return all
}

// ownPrefix begins the codes of problems with single objects.
const ownPrefix = "OSM01"

func ownCode(i int) string {
	const digits = "0123456789"
	n := i + 1
	return ownPrefix + string(digits[n/10]) + string(digits[n%10])
}

// CodeOf is the code of a problem with a single object, by the reason that conditions have for it.
func CodeOf(reason string) string {
	i := slices.IndexFunc(ownReasons, func(r struct{ reason, title, meaning, remedy string }) bool { return r.reason == reason })
	if i < 0 {
		return codeOther
	}
	return ownCode(i)
}

// own reports the problems that objects have by themselves.
func (a *analysis) own() {
	for _, object := range a.mesh.Objects {
		for _, problem := range validate.Object(object) {
			a.judge(subjectOf(object), problem)
		}
	}
	for _, f := range a.mesh.Loaded.Findings {
		a.judge(a.subject(f.Kind, f.Name), f.Problem)
	}
}

func (a *analysis) judge(s subject, p ingest.Problem) {
	severity := Error
	if p.Warning {
		severity = Warning
	}
	a.report(CodeOf(p.Reason), severity, s, p.Message)
}
