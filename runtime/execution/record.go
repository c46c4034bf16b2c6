package execution

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/nexus-operator/nexus-operator/runtime/fault"
)

// A record in Redis has a head, which scripts read and change, and a description, which is
// JSON. Both are of version 1: see scripts/prelude.lua. What is of another version, or
// larger than anything that is written, is not read.
const (
	version        = "1"
	maxDescription = 64 << 10
	// maxChunk is a chunk whose events all have as much data as they may.
	maxChunk = chunkEvents * (MaxEventData + 256)
	// entryWidth is the length of an entry of an index.
	entryWidth = 1 + idLength + 1 + 13
)

// letters are the statuses in heads. An execution whose pod is gone has the letter L.
var letters = map[Status]string{Running: "R", Completed: "C", Failed: "F", Canceled: "X"}

const letterGone = "L"

// description is what no script needs to know. Times are in milliseconds.
type description struct {
	Workflow string       `json:"workflow"`
	Version  string       `json:"version"`
	Mode     Mode         `json:"mode"`
	Created  int64        `json:"created"`
	Took     int64        `json:"tookMicros,omitempty"`
	Failure  *failureJSON `json:"failure,omitempty"`
}

type failureJSON struct {
	Code    fault.Code      `json:"code"`
	Detail  string          `json:"detail"`
	Status  int             `json:"status,omitempty"`
	Problem json.RawMessage `json:"problem,omitempty"`
}

// describe writes what is below the head.
func describe(x *Execution) string {
	d := description{Workflow: x.Workflow, Version: x.Version, Mode: x.Mode, Created: x.Created.UnixMilli(), Took: x.Took.Microseconds()}
	if x.Failure != nil {
		f := failureJSON(*x.Failure)
		d.Failure = &f
	}
	return encode(d)
}

var headPattern = regexp.MustCompile(`^1([RCFXL])([01])[0-9a-f]{32} (0|[1-9][0-9]{0,14}) ([1-9][0-9]{0,9})$`)

// parseRecord reads a record; the subject and the id are those of its key.
func parseRecord(subject, id, text string) (Execution, error) {
	if text == "" {
		return Execution{}, errNotFound
	}
	head, rest, _ := strings.Cut(text, "\n")
	parts := headPattern.FindStringSubmatch(head)
	if parts == nil || len(rest) > maxDescription {
		return Execution{}, fmt.Errorf("record: %w", errFormat)
	}
	var d description
	if err := strictly(rest, &d); err != nil {
		return Execution{}, fmt.Errorf("record: %w", err)
	}
	finished, _ := strconv.ParseInt(parts[3], 10, 64) // the pattern has digits
	last, _ := strconv.Atoi(parts[4])
	x := Execution{
		ID: id, Subject: subject, Workflow: d.Workflow, Version: d.Version, Mode: d.Mode, Status: Running, LastEvent: last,
		Created: time.UnixMilli(d.Created), Took: time.Duration(d.Took) * time.Microsecond,
	}
	if d.Failure != nil {
		f := Failure(*d.Failure)
		x.Failure = &f
	}
	if parts[1] == "R" {
		x.CancelRequested = parts[2] == "1"
	} else {
		x.Finished = time.UnixMilli(finished)
	}
	switch parts[1] {
	case "C":
		x.Status = Completed
	case "F":
		x.Status = Failed
	case "X":
		x.Status = Canceled
	case letterGone:
		f := failureGone
		x.Status, x.Failure = Failed, &f
		x.Took = max(0, x.Finished.Sub(x.Created))
		x.LastEvent++ // the one that nobody was there to write
	}
	return x, nil
}

// isGone says whether a record is one whose pod is gone.
func isGone(text string) bool { return strings.HasPrefix(text, version+letterGone) }

// parseOutput reads an output.
func parseOutput(text string) (json.RawMessage, error) {
	body, ok := strings.CutPrefix(text, version)
	if !ok || len(body) > MaxOutput || !json.Valid([]byte(body)) {
		return nil, fmt.Errorf("output: %w", errFormat)
	}
	return json.RawMessage(body), nil
}

type eventJSON struct {
	ID   int             `json:"i"`
	Type EventType       `json:"t"`
	Time int64           `json:"at"`
	Data json.RawMessage `json:"d,omitempty"`
}

// writeChunk writes the events of a chunk.
func writeChunk(events []Event) string {
	list := make([]eventJSON, len(events))
	for i, e := range events {
		list[i] = eventJSON{e.ID, e.Type, e.Time.UnixMilli(), e.Data}
	}
	return version + encode(list)
}

// encode writes JSON whose length is that of its parts: nothing is escaped for HTML.
func encode(v any) string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v) // the JSON of others in it was looked at
	return strings.TrimSuffix(text.String(), "\n")
}

// parseChunk reads a chunk.
func parseChunk(text string) ([]Event, error) {
	body, ok := strings.CutPrefix(text, version)
	var list []eventJSON
	if !ok || len(body) > maxChunk {
		return nil, fmt.Errorf("events: %w", errFormat)
	}
	if err := strictly(body, &list); err != nil {
		return nil, fmt.Errorf("events: %w", err)
	}
	events := make([]Event, len(list))
	for i, e := range list {
		if e.ID < 1 || i > 0 && e.ID <= list[i-1].ID {
			return nil, fmt.Errorf("events: %w", errFormat)
		}
		events[i] = Event{ID: e.ID, Type: e.Type, Time: time.UnixMilli(e.Time), Data: e.Data}
	}
	return events, nil
}

// parseEntries reads the ids in the entries of an index.
func parseEntries(text string) ([]string, error) {
	if len(text)%entryWidth != 0 {
		return nil, fmt.Errorf("index: %w", errFormat)
	}
	ids := make([]string, 0, len(text)/entryWidth)
	for ; text != ""; text = text[entryWidth:] {
		id := text[1 : 1+idLength]
		if text[0] != ';' || !validID(id) {
			return nil, fmt.Errorf("index: %w", errFormat)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// strictly reads one JSON value that has nothing but what is expected.
func strictly(text string, into any) error {
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil || decoder.InputOffset() != int64(len(text)) {
		return errFormat
	}
	return nil
}
