package largemesh_test

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/testing/largemesh"
)

// Every question has the answer that it should have.
func TestQuestions(t *testing.T) {
	for _, q := range questions(t, 100) {
		if err := q.Answer(t.Context()); err != nil {
			t.Errorf("%s: %v", q.Name, err)
		}
	}
}

func BenchmarkQuestions(b *testing.B) {
	for _, q := range questions(b, largemesh.Services) {
		b.Run(q.Name, func(b *testing.B) {
			for b.Loop() {
				if err := q.Answer(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func questions(t testing.TB, services int) []largemesh.Question {
	t.Helper()
	all, err := largemesh.Questions(services)
	if err != nil {
		t.Fatal(err)
	}
	return all
}
