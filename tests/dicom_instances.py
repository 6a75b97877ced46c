"""DICOM files for tests, written by pydicom: one instance a call, of an invented person, pixels and all."""

from __future__ import annotations

import io
import warnings

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

ROOT = "1.2.826.0.1.3680043.10.1234"
NAME, NUMBER, PHONE = "Quackenbush^Zebedee", "MRN-0042", "555-867-5309"
CT = "1.2.840.10008.5.1.4.1.1.2"
SECRET_TAGS = {
    "InstitutionName": "Quackenbush Memorial", "ReferringPhysicianName": "Physician^Ursula", "StationName": "QSTATION7",
    "DeviceSerialNumber": "SN-998877", "StudyDescription": "CT for Zebedee Quackenbush", "PatientComments": "lives at 12 Elm Street",
    "OperatorsName": "Operator^Olga", "AccessionNumber": "ACC-5512",
}  # fmt: skip


def instance(
    study: int = 1, series: int = 1, number: int = 1, *, syntax: str = ExplicitVRLittleEndian, pixels: int = 64, **tags
) -> bytes:
    """The bytes of a file of one instance. ``tags`` are keywords with their values; None leaves one out."""
    data = Dataset()
    said = {
        "SOPClassUID": CT, "SOPInstanceUID": f"{ROOT}.{study}.{series}.{number}", "StudyInstanceUID": f"{ROOT}.{study}",
        "SeriesInstanceUID": f"{ROOT}.{study}.{series}", "StudyDate": "20260301", "StudyTime": "101500", "Modality": "CT",
        "PatientName": NAME, "PatientID": NUMBER, "PatientBirthDate": "19800229", "PatientSex": "F", "SeriesNumber": series,
        "InstanceNumber": number, "BodyPartExamined": "CHEST", "PatientTelephoneNumbers": PHONE, **SECRET_TAGS, **tags,
    }  # fmt: skip
    for keyword, value in said.items():
        if value is not None:
            setattr(data, keyword, value)
    block = data.private_block(0x0011, "QUACK CORP", create=True)
    block.add_new(0x01, "LO", "private Zebedee Quackenbush")
    if pixels:
        data.Rows, data.Columns, data.BitsAllocated, data.BitsStored, data.HighBit = 1, pixels, 8, 8, 7
        data.SamplesPerPixel, data.PixelRepresentation, data.PhotometricInterpretation = 1, 0, "MONOCHROME2"
        data.PixelData = bytes(pixels)
        data["PixelData"].VR = "OB"
    return written(data, syntax)


def written(data: Dataset, syntax: str) -> bytes:
    """A data set as a file of that transfer syntax."""
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    data.file_meta.MediaStorageSOPClassUID = data.get("SOPClassUID", CT)
    data.file_meta.MediaStorageSOPInstanceUID = data.get("SOPInstanceUID") or f"{ROOT}.9"
    into = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcmwrite(into, FileDataset(into, data, file_meta=data.file_meta, preamble=bytes(128)), enforce_file_format=True)
    return into.getvalue()


def coded(code: str, scheme: str, meaning: str) -> Sequence:
    """A code sequence of one item."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code, scheme, meaning
    return Sequence([item])
