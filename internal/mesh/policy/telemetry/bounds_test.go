package telemetry

import (
	"fmt"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/testing/ingesttest"
)

// attributeList returns a number of attributes in YAML.
func attributeList(number int) string {
	var all []string
	for i := range number {
		all = append(all, fmt.Sprintf("a%02d: '%d'", i, i))
	}
	return "{" + strings.Join(all, ", ") + "}"
}

// TestUnusableTelemetry checks that the status describes what is logged instead of an unusable part, and that the limits of parts are usable.
func TestUnusableTelemetry(t *testing.T) {
	const standard, everything, leftOut = "The log has the default format.", "Everything is logged.", "The attribute is left out."
	keys := func(number int) string {
		return "format: '" + strings.NewReplacer("'", `"`, "a", `"a`, ":", `":`).Replace(attributeList(number)) + "'"
	}
	export := "openTelemetry: {extensionService: {name: otel}, attributes: "
	for name, c := range map[string]struct{ log, problem, effect string }{
		"a text":               {"format: '%X%'", "InvalidFormat: has the command operator %X%", standard},
		"the longest text":     {"format: " + strings.Repeat("a", maxLogFormat), "", ""},
		"a text that is long":  {"format: " + strings.Repeat("a", maxLogFormat+1), "InvalidFormat: spec.accessLog.format has 4097 characters: use at most 4096", standard},
		"not JSON":             {"format: '{a'", "InvalidFormat: is not a JSON object", standard},
		"no keys":              {"format: '{}'", "InvalidFormat: has 0 keys: use 1 to 64", standard},
		"as many keys as fit":  {keys(maxLogFields), "", ""},
		"too many keys":        {keys(maxLogFields + 1), "InvalidFormat: has 65 keys: use 1 to 64", standard},
		"a bad key":            {`format: '{"a": "b", "c": "%X%"}'`, `InvalidFormat: the key "c" has the command operator %X%`, standard},
		"an expression":        {"filter: '1'", "InvalidExpression: must be true or false", everything},
		"all attributes":       {export + attributeList(maxLogFields) + "}", "", ""},
		"too many attributes":  {export + attributeList(maxLogFields+1) + "}", `InvalidFormat: the key "a64" is one too many`, leftOut},
		"a bad attribute":      {export + "{a: '%X%', b: c}}", `InvalidFormat: the key "a" has the command operator %X%`, leftOut},
		"a namespace of a dot": {"openTelemetry: {extensionService: {name: otel, namespace: a.b}}", `InvalidName: names "otel" in the namespace "a.b"`, ""},
		"no format":            {"format: ''", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := Read(ingesttest.Object(t, "accessLog: {"+c.log+"}"))
			if got == nil {
				t.Fatalf("there is no entry, with the problems %+v", problems)
			}
			var want []string
			if c.problem != "" {
				want = []string{c.problem}
			}
			ingesttest.Expect(t, 0, 0, want, problems)
			if len(problems) > 0 && problems[0].Effect != c.effect {
				t.Errorf("the effect is %q, want %q", problems[0].Effect, c.effect)
			}
		})
	}
}

// TestTelemetryKeepsUsableParts checks that an unusable part does not remove others.
func TestTelemetryKeepsUsableParts(t *testing.T) {
	got, problems := Read(ingesttest.Object(t, "accessLog: {format: '%X%', openTelemetry: {extensionService: {name: otel}, attributes: {a: b, c: '%X%', d: e}}}"))
	ingesttest.Expect(t, &Policy{
		Name: ingesttest.Name, Created: ingesttest.Created, Export: entity.Name{Namespace: "shop", Name: "otel"}, Attributes: map[string]string{"a": "b", "d": "e"},
	}, got, []string{"InvalidFormat: ", "InvalidFormat: "}, problems)
	none, problems := Read(ingesttest.Object(t, "{selector: {app: 'a b'}, accessLog: {format: a}}"))
	ingesttest.Expect(t, (*Policy)(nil), none, []string{`InvalidName: spec.selector has "app": "a b", which is not a label, so this object selects no pods`}, problems)
}

// TestAttributesOfRecordsAreBounded checks that the attributes of a log have a length together: each listener of the sidecar has them.
func TestAttributesOfRecordsAreBounded(t *testing.T) {
	read := func(value string) (*Policy, []ingest.Problem) {
		return Read(ingesttest.Object(t, "accessLog: {openTelemetry: {extensionService: {name: otel}, attributes: {a: b, c: "+value+", d: e}}}"))
	}
	rest := maxLogFormat - len("ab"+"c"+"de")
	got, problems := read(strings.Repeat("x", rest))
	ingesttest.Expect(t, 3, len(got.Attributes), nil, problems)
	got, problems = read(strings.Repeat("x", rest+3))
	ingesttest.Expect(t, map[string]string{"a": "b", "d": "e"}, got.Attributes, []string{`InvalidFormat: the key "c" makes the attributes longer than 4096 characters`}, problems)
}
