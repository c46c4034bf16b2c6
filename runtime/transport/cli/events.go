package cli

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// event is one of a stream of server-sent events.
type event struct {
	name, id string
	data     []byte
}

// eventReader reads server-sent events, as HTML has them (section 9.2, "Server-sent
// events").
type eventReader struct {
	lines *bufio.Reader
	id    string
}

func newEventReader(from io.Reader) *eventReader {
	return &eventReader{lines: bufio.NewReader(from)}
}

var errLongEvent = errors.New("an event of the stream is longer than 64 MiB")

// next returns the next event that has data, or io.EOF. An event that the end of the
// stream cuts off is none.
func (r *eventReader) next() (event, error) {
	var e event
	has := false
	for size := 0; size <= maxReplyBytes; {
		line, err := r.line(maxReplyBytes - size)
		if err != nil {
			return event{}, err
		}
		size += len(line)
		if len(line) == 0 {
			if has {
				e.id = r.id
				return e, nil
			}
			e = event{}
			continue
		}
		name, value, _ := bytes.Cut(line, []byte{':'})
		value = bytes.TrimPrefix(value, []byte{' '})
		switch string(name) {
		case "event":
			e.name = string(value)
		case "id":
			r.id = string(value)
		case "data":
			if has {
				e.data = append(e.data, '\n')
			}
			e.data, has = append(e.data, value...), true
		default: // a comment, or a field that means nothing here
		}
	}
	return event{}, errLongEvent
}

// line reads one line, without its end.
func (r *eventReader) line(most int) ([]byte, error) {
	var out []byte
	for {
		part, err := r.lines.ReadSlice('\n')
		out = append(out, part...)
		switch {
		case len(out) > most+2:
			return nil, errLongEvent
		case err == nil:
			return bytes.TrimSuffix(out[:len(out)-1], []byte{'\r'}), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}
