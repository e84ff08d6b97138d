package provenance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	slsa "github.com/in-toto/attestation/go/predicates/provenance/v1"
	intoto "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"
)

const (
	// PredicateType is SLSA's type of provenance.
	PredicateType = "https://slsa.dev/provenance/v1"
	// PayloadType is the type of statements in envelopes.
	PayloadType = "application/vnd.in-toto+json"

	project = "https://github.com/openservicemesh/osm-operator"
	// buildType identifies the meaning of the parameters: the program hack/release of the commit, with no other input.
	buildType = project + "/tree/main/hack/release"
)

// Build describes one run of hack/release.
type Build struct {
	// Builder identifies the machine that ran it, such as a workflow with its reference.
	Builder string
	// Version is the version, and Commit the commit it was built from.
	Version, Commit string
	// Go is the version of the toolchain, such as go1.26.8.
	Go string
}

// Artifact is a file or image, or an input of it.
type Artifact struct {
	// Name is the file name, image reference or package URL.
	Name string
	// SHA256 is the hexadecimal hash.
	SHA256 string
}

// Statement returns the statement about the subjects, which were built from the commit and the inputs.
func Statement(b Build, subjects, inputs []Artifact) ([]byte, error) {
	predicate, err := predicate(b, inputs)
	if err != nil {
		return nil, err
	}
	statement := &intoto.Statement{Type: intoto.StatementTypeUri, PredicateType: PredicateType, Predicate: predicate}
	for _, s := range subjects {
		statement.Subject = append(statement.Subject, &intoto.ResourceDescriptor{Name: s.Name, Digest: map[string]string{"sha256": s.SHA256}})
	}
	if err := statement.Validate(); err != nil {
		return nil, fmt.Errorf("the statement about %d artifacts is invalid: %w", len(subjects), err)
	}
	raw, err := protojson.Marshal(statement)
	if err != nil {
		return nil, err
	}
	// Marshal varies the white space, so that nobody depends on it.
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return nil, err
	}
	return compact.Bytes(), nil
}

// predicate returns the provenance.
func predicate(b Build, inputs []Artifact) (*structpb.Struct, error) {
	if b.Commit == "" || b.Builder == "" {
		return nil, errors.New("provenance needs the commit and the builder")
	}
	parameters, err := structpb.NewStruct(map[string]any{"version": b.Version, "repository": project})
	if err != nil {
		return nil, err
	}
	dependencies := []*intoto.ResourceDescriptor{
		{Uri: "git+" + project + "@" + b.Commit, Digest: map[string]string{"gitCommit": b.Commit}},
		{Uri: "pkg:generic/go@" + b.Go, Name: b.Go},
	}
	for _, input := range inputs {
		dependencies = append(dependencies, &intoto.ResourceDescriptor{Uri: input.Name, Digest: map[string]string{"sha256": input.SHA256}})
	}
	provenance := &slsa.Provenance{
		BuildDefinition: &slsa.BuildDefinition{BuildType: buildType, ExternalParameters: parameters, ResolvedDependencies: dependencies},
		RunDetails:      &slsa.RunDetails{Builder: &slsa.Builder{Id: b.Builder}},
	}
	if err := provenance.Validate(); err != nil {
		return nil, fmt.Errorf("the provenance is invalid: %w", err)
	}
	raw, err := protojson.Marshal(provenance)
	if err != nil {
		return nil, err
	}
	predicate := new(structpb.Struct)
	return predicate, protojson.Unmarshal(raw, predicate)
}
