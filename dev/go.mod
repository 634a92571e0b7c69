module github.com/hookstream/hookstream/dev

go 1.26.0

require (
	github.com/hookstream/hookstream/dlq v0.0.0
	github.com/hookstream/hookstream/ingest v0.0.0
	github.com/hookstream/hookstream/schemas v0.0.0
	github.com/hookstream/hookstream/sink v0.0.0
	github.com/hookstream/hookstream/stage v0.0.0
	github.com/hookstream/hookstream/transform v0.0.0
)

replace (
	github.com/hookstream/hookstream/dlq => ../dlq
	github.com/hookstream/hookstream/ingest => ../ingest
	github.com/hookstream/hookstream/schemas => ../schemas
	github.com/hookstream/hookstream/sink => ../sink
	github.com/hookstream/hookstream/stage => ../stage
	github.com/hookstream/hookstream/transform => ../transform
)
