#!/usr/bin/env python3
"""Records an event file with TensorBoard's own writer, for the tests of the one that `wt train` writes.

Writes Tests/Fixtures/runtime/events.tfevents; given a file, prints what TensorBoard reads in it.
"""

import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.summary.writer.record_writer import RecordWriter

TARGET = Path(__file__).resolve().parents[2] / "Tests/Fixtures/runtime/events.tfevents"
STEPS = [0, 1, 2, 127, 128, 300, 70000]


def main():
    with open(TARGET, "wb") as file:
        writer = RecordWriter(file)
        writer.write(Event(file_version="brain.Event:2").SerializeToString())
        for step in STEPS:
            event = Event(wall_time=1.5e9 + step / 4, step=step)
            event.summary.value.add(tag="loss", simple_value=1 / (1 + step))
            event.summary.value.add(tag="lr", simple_value=0)
            event.summary.value.add(tag="Dice/é", simple_value=float("nan") if step == 2 else -0.25)
            writer.write(event.SerializeToString())
        writer.flush()


def show(path):
    for event in EventFileLoader(path).Load():
        for value in event.summary.value:
            number = value.tensor.float_val[0] if value.tensor.float_val else value.simple_value
            print(event.step, event.wall_time, value.tag, number)


if __name__ == "__main__":
    show(sys.argv[1]) if len(sys.argv) > 1 else main()
