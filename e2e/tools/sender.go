package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/report"
)

// mostFailures is how many failed requests a report describes.
const mostFailures = 50

// requestID is the header by which sidecars name a request in their logs.
const requestID = "X-Request-Id"

// sender sends requests and counts what comes of them.
type sender struct {
	options requestOptions
	client  *http.Client
	url     string
	watch   *stallWatch
	// run begins the ids of all requests.
	run string

	mu     sync.Mutex
	result report.Requests
}

// snapshot is what came of the requests until now.
func (s *sender) snapshot() report.Requests {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.result
	r.Outcomes, r.Names, r.Peers, r.Errors = maps.Clone(r.Outcomes), maps.Clone(r.Names), maps.Clone(r.Peers), maps.Clone(r.Errors)
	r.Failures = slices.Clone(r.Failures)
	return r
}

// paced sends requests at a rate. Turns that come while as many requests are under way as may be are left out: a machine that cannot
// keep up is not buried under those that wait.
func (s *sender) paced(ctx context.Context) {
	var pending sync.WaitGroup
	defer pending.Wait()
	room := make(chan struct{}, s.options.most)
	start := time.Now()
	for i := 0; s.options.more(ctx, i); i++ {
		turn := start.Add(time.Duration(float64(i) / s.options.rate * float64(time.Second)))
		select {
		case <-time.After(time.Until(turn)):
		case <-ctx.Done():
			return
		}
		select {
		case room <- struct{}{}:
			s.begins(time.Since(turn), 0)
			pending.Go(func() {
				s.one(i)
				<-room
			})
		default:
			s.begins(0, 1)
		}
	}
}

// begins notes by how much a request began after its turn, or that it was left out.
func (s *sender) begins(late time.Duration, leftOut int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.result.Late = max(s.result.Late, late)
	s.result.LeftOut += leftOut
}

// one sends the request with a number.
func (s *sender) one(number int) {
	id := fmt.Sprintf("%s-%d", s.run, number)
	begun := time.Now()
	outcome, said, err := s.send(id)
	now := time.Now()
	failed := report.Failure{ID: id, At: begun, Took: now.Sub(begun), Stalled: s.watch.between(begun, now)}
	if outcome == report.Timeout && failed.Stalled > s.options.timeout/2 {
		outcome = report.Starved
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.result.Requests++
	s.result.Outcomes[outcome]++
	if said.Name != "" {
		s.result.Names[said.Name]++
	}
	if host, _, err := net.SplitHostPort(said.Peer); err == nil {
		s.result.Peers[host]++
	}
	if err != nil {
		s.result.Errors[outcome] = err.Error()
		said.text = err.Error()
	}
	if outcome != strconv.Itoa(http.StatusOK) && len(s.result.Failures) < mostFailures {
		failed.Outcome, failed.Said = outcome, fmt.Sprintf("%.200s", said.text)
		s.result.Failures = append(s.result.Failures, failed)
	}
}

func (s *sender) send(id string) (outcome string, said answer, err error) {
	request, err := http.NewRequest(s.options.method, s.url, nil)
	if err != nil {
		return report.Other, said, err
	}
	for _, header := range s.options.headers {
		key, value, ok := strings.Cut(header, ":")
		if !ok {
			return report.Other, said, fmt.Errorf("header %q has no colon: write 'Name: value'", header)
		}
		if strings.EqualFold(key, "host") {
			request.Host = strings.TrimSpace(value)
		}
		request.Header.Add(key, strings.TrimSpace(value))
	}
	if request.Header.Get(requestID) == "" {
		request.Header.Set(requestID, id)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return failure(err), said, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return failure(err), said, err
	}
	_ = json.Unmarshal(body, &said)
	said.text = string(body)
	return strconv.Itoa(response.StatusCode), said, nil
}
